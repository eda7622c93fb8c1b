module github.com/segloss/segloss/bridge/spago

go 1.25.0

require (
	github.com/nlpodyssey/spago v1.1.0
	github.com/segloss/segloss v0.0.0
)

require (
	github.com/google/flatbuffers v23.5.26+incompatible // indirect
	github.com/klauspost/cpuid/v2 v2.4.2 // indirect
	golang.org/x/sys v0.41.0 // indirect
)

replace github.com/segloss/segloss => ../..
