//go:build amd64 || arm64

package libcuda

import (
	"fmt"

	"github.com/ebitengine/purego"
	"golang.org/x/sys/windows"
)

// openLibrary takes the system's library from the system's folder only: a file
// of that name beside the program is not the driver.
func openLibrary(path string) (uintptr, error) {
	var flags uintptr
	if path == "" {
		path, flags = "nvcuda.dll", windows.LOAD_LIBRARY_SEARCH_SYSTEM32
	}
	library, err := windows.LoadLibraryEx(path, 0, flags)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", path, err)
	}
	return uintptr(library), nil
}

func lookUp(library uintptr, name string) (uintptr, error) {
	return windows.GetProcAddress(windows.Handle(library), name)
}

func invoke(function uintptr, args []uintptr) uintptr {
	result, _, _ := purego.SyscallN(function, args...)
	return result
}
