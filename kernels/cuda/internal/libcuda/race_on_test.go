//go:build race

package libcuda

const raceDetector = true
