//go:build mpi && cgo

package main

// #cgo pkg-config: ompi-c
// #include <mpi.h>
//
// // MPI_DOUBLE and the like are casts, which Go cannot see.
// static void quit(void) { MPI_Abort(MPI_COMM_WORLD, 1); }
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

// connect joins the processes of MPI_COMM_WORLD. The process has threads of Go, of which
// one makes all calls of MPI.
func connect() (world, error) {
	runtime.LockOSThread()
	var rank, size, threads C.int
	for _, call := range []struct {
		name string
		do   func() C.int
	}{
		{"MPI_Init_thread", func() C.int { return C.MPI_Init_thread(nil, nil, C.MPI_THREAD_FUNNELED, &threads) }},
		{"MPI_Comm_rank", func() C.int { return C.rank(&rank) }},
		{"MPI_Comm_size", func() C.int { return C.size(&size) }},
	} {
		if code := call.do(); code != C.MPI_SUCCESS {
			return world{}, fmt.Errorf("%s: error %d", call.name, code)
		}
	}
	if threads < C.MPI_THREAD_FUNNELED {
		return world{}, fmt.Errorf("MPI_Init_thread: level %d, want MPI_THREAD_FUNNELED: a process may have several threads", threads)
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

// abort ends all processes; those that wait for this one's sums would do so for ever.
func (world) abort() { C.quit() }
