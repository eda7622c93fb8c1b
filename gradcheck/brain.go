package gradcheck

import (
	_ "embed"
	"fmt"
)

// The real volume: a T1-weighted MRI of one head around the deep nuclei, and the
// structure of each voxel. testdata/brain/README.md says where it is from and
// under which licence. The files are .npy; x is fastest.
var (
	//go:embed testdata/brain/brain_t1.npy
	brainT1 []byte
	//go:embed testdata/brain/brain_labels.npy
	brainLabels []byte
)

// The shape of the volume, and its labels: background, caudate, putamen,
// pallidum, thalamus, hippocampus and amygdala.
const (
	brainZ, brainY, brainX = 64, 96, 112
	brainVoxels            = brainZ * brainY * brainX
	brainClasses           = 7
)

// voxels returns the bytes of a .npy file of one byte a voxel, without its
// header: ten bytes of magic, version and length, and then text.
func voxels(file []byte) ([]uint8, error) {
	if len(file) < 10 {
		return nil, fmt.Errorf("gradcheck: a volume of %d bytes has no header", len(file))
	}
	header := 10 + int(file[8]) + int(file[9])<<8
	if len(file) != header+brainVoxels {
		return nil, fmt.Errorf("gradcheck: a volume of %d bytes, want %d", len(file), header+brainVoxels)
	}
	return file[header:], nil
}
