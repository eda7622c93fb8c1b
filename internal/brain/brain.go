// Package brain holds a real volume with rare classes: a T1-weighted MRI of one head
// around the deep nuclei, and the structure of each voxel. README.md says where it
// is from and under which licence.
package brain

import (
	_ "embed"
	"fmt"
)

// The files are .npy; x is fastest.
var (
	//go:embed brain_t1.npy
	t1 []byte
	//go:embed brain_labels.npy
	labels []byte
)

// The shape of the volume, and the number of its labels.
const (
	Z, Y, X = 64, 96, 112
	Voxels  = Z * Y * X
	Classes = 7
)

// Names are those of the labels.
var Names = [Classes]string{"background", "caudate", "putamen", "pallidum", "thalamus", "hippocampus", "amygdala"}

// Load returns the intensity and the label of each voxel [Z, Y, X].
func Load() (intensity, label []uint8, err error) {
	if intensity, err = voxels(t1); err != nil {
		return nil, nil, err
	}
	label, err = voxels(labels)
	return intensity, label, err
}

// voxels returns the bytes of a .npy file of one byte a voxel, without its
// header: ten bytes of magic, version and length, and then text.
func voxels(file []byte) ([]uint8, error) {
	if len(file) < 10 {
		return nil, fmt.Errorf("brain: a volume of %d bytes has no header", len(file))
	}
	header := 10 + int(file[8]) + int(file[9])<<8
	if len(file) != header+Voxels {
		return nil, fmt.Errorf("brain: a volume of %d bytes, want %d", len(file), header+Voxels)
	}
	return file[header:], nil
}
