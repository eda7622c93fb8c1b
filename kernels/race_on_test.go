//go:build race

package kernels

// RaceDetector reports whether the tests run under the race detector.
const RaceDetector = true
