//go:build !(((linux && !android) || windows) && (amd64 || arm64))

package libcuda

import (
	"errors"
	"runtime"
)

// openLibrary says that there is no driver for this system, or none that is
// reached from here; so nothing is ever looked up or called.
func openLibrary(string) (uintptr, error) {
	return 0, errors.New("not supported on " + runtime.GOOS + "/" + runtime.GOARCH)
}

func lookUp(uintptr, string) (uintptr, error) { return 0, errors.ErrUnsupported }

// notInitialized is what the driver says of a call before cuInit.
const notInitialized = 3

func invoke(uintptr, []uintptr) uintptr { return notInitialized }
