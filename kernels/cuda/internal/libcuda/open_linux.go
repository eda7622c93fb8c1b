//go:build linux && !android && (amd64 || arm64)

package libcuda

import "github.com/ebitengine/purego"

// wsl is where the Windows Subsystem for Linux has the driver, which is not in
// every distribution's library path.
const wsl = "/usr/lib/wsl/lib/libcuda.so.1"

func openLibrary(path string) (uintptr, error) {
	const mode = purego.RTLD_NOW | purego.RTLD_LOCAL
	if path != "" {
		return purego.Dlopen(path, mode)
	}
	library, err := purego.Dlopen("libcuda.so.1", mode)
	if err == nil {
		return library, nil
	}
	if library, wslErr := purego.Dlopen(wsl, mode); wslErr == nil {
		return library, nil
	}
	return 0, err
}

func lookUp(library uintptr, name string) (uintptr, error) { return purego.Dlsym(library, name) }

func invoke(function uintptr, args []uintptr) uintptr {
	result, _, _ := purego.SyscallN(function, args...)
	return result
}
