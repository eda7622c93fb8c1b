module github.com/segloss/segloss/cmd/gradcheck

go 1.24.0

require (
	github.com/sbinet/npyio v0.9.0
	github.com/segloss/segloss v0.0.0
)

require (
	github.com/nlpodyssey/gopickle v0.3.0 // indirect
	golang.org/x/text v0.23.0 // indirect
	gonum.org/v1/gonum v0.17.0 // indirect
)

replace github.com/segloss/segloss => ../..
