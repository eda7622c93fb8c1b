//go:build !mpi

package main

// world is a single process.
type world struct{ rank, size int }

func connect() (world, error) { return world{0, 1}, nil }

func (world) sum([]float64) error { return nil }

func (world) close() {}
