module github.com/segloss/segloss/bridge/born

go 1.25.0

require (
	github.com/born-ml/born v0.8.0
	github.com/segloss/segloss v0.0.0
)

require (
	github.com/klauspost/cpuid/v2 v2.4.2 // indirect
	golang.org/x/sys v0.43.0 // indirect
)

replace github.com/segloss/segloss => ../..
