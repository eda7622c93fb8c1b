// Package machine names the machine that a figure was taken on.
package machine

import (
	"cmp"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"

	"github.com/klauspost/cpuid/v2"
)

// Name returns processor, caches, system and Go version in a line.
func Name() string {
	c := &cpuid.CPU
	return fmt.Sprintf("%s (family %d, model %d), %d CPUs, L2 %s, L3 %s, %s/%s, %s",
		cmp.Or(c.BrandName, "unknown processor"), c.Family, c.Model, runtime.NumCPU(),
		size(c.Cache.L2), size(c.Cache.L3), runtime.GOOS, runtime.GOARCH, runtime.Version())
}

// size writes a number of bytes that a cache may have.
func size(bytes int) string {
	switch {
	case bytes <= 0:
		return "unknown"
	case bytes < 1<<20:
		return fmt.Sprintf("%d KiB", bytes>>10)
	}
	return fmt.Sprintf("%g MiB", float64(bytes)/(1<<20))
}

// L2 returns the size of a core's second cache in bytes, or a common one where
// it is not known.
func L2() int {
	if n := cpuid.CPU.Cache.L2; n > 0 {
		return n
	}
	return 512 << 10
}

// Busy says that others are at work on this machine, by whose noise the figures
// will suffer; it is empty where none are, or where the system does not tell.
func Busy() string {
	b, _ := os.ReadFile("/proc/loadavg")
	load := loadOf(string(b))
	if load < 0.5 {
		return ""
	}
	return fmt.Sprintf("load average %.1f on %d CPUs: others are at work here, and figures of two threads mean little", load, runtime.NumCPU())
}

// loadOf reads the mean of the last minute.
func loadOf(s string) float64 {
	first, _, _ := strings.Cut(s, " ")
	v, _ := strconv.ParseFloat(first, 64)
	return v
}
