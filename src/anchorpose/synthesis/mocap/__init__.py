"""Motion capture in: BVH, ASF/AMC, C3D and DeepMimic files as joints in metres, and as LCR13 poses."""
