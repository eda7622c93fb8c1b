//go:build mpi

package main

// #cgo pkg-config: ompi-c
// #include <mpi.h>
//
// // MPI_DOUBLE and the like are casts, which Go cannot see.
// static int size(int *n) { return MPI_Comm_size(MPI_COMM_WORLD, n); }
// static int rank(int *n) { return MPI_Comm_rank(MPI_COMM_WORLD, n); }
// static int allreduce(double *x, int n) {
// 	return MPI_Allreduce(MPI_IN_PLACE, x, n, MPI_DOUBLE, MPI_SUM, MPI_COMM_WORLD);
// }
import "C"

import (
	"fmt"
	"runtime"
	"unsafe"
)

// world is the processes of MPI_COMM_WORLD.
type world struct{ rank, size int }

// connect joins the world. MPI wants one thread to make all calls.
func connect() (world, error) {
	runtime.LockOSThread()
	var rank, size C.int
	for _, call := range []struct {
		name string
		do   func() C.int
	}{
		{"MPI_Init", func() C.int { return C.MPI_Init(nil, nil) }},
		{"MPI_Comm_rank", func() C.int { return C.rank(&rank) }},
		{"MPI_Comm_size", func() C.int { return C.size(&size) }},
	} {
		if code := call.do(); code != C.MPI_SUCCESS {
			return world{}, fmt.Errorf("%s: error %d", call.name, code)
		}
	}
	return world{int(rank), int(size)}, nil
}

// sum replaces x by the sum over all processes.
func (world) sum(x []float64) error {
	if code := C.allreduce((*C.double)(unsafe.SliceData(x)), C.int(len(x))); code != C.MPI_SUCCESS {
		return fmt.Errorf("MPI_Allreduce: error %d", code)
	}
	return nil
}

func (world) close() { C.MPI_Finalize() }
