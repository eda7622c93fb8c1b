module github.com/segloss/segloss/examples/mpi

go 1.25.0

require github.com/segloss/segloss v0.0.0

require (
	github.com/klauspost/cpuid/v2 v2.4.2 // indirect
	golang.org/x/sys v0.41.0 // indirect
)

replace github.com/segloss/segloss => ../..
