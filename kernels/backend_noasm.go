//go:build !amd64 || purego

package kernels

import "runtime"

// assembly lists the instruction sets, none of which is in this build.
func assembly() []implementation {
	why := "left out of this build: tag purego"
	if runtime.GOARCH != "amd64" {
		why = "amd64 only"
	}
	return []implementation{{Backend: unavailable("avx2", why)}, {Backend: unavailable("avx512", why)}}
}
