//go:build !amd64 || purego

package probe

func assembly() []Implementation { return nil }
