// Command c is the shared library that segloss.h describes; build it with
// -buildmode=c-shared. It does nothing as a program.
package main

func main() {}
