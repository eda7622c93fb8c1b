//go:build mpi && !cgo

package main

import "errors"

func init() { noMPI = errors.New("built with the tag mpi, but without cgo, which calls of MPI need") }
