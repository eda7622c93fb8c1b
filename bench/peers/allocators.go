package main

import (
	"path/filepath"
	"slices"

	"github.com/segloss/segloss/bench/internal/list"
)

// allocator is a way to get memory: PyTorch as it comes has the system's fresh
// pages at every step, which cost as much as many a loss; these keep what was
// freed, in large pages where they can.
type allocator struct {
	name    string
	library string // pattern of what is preloaded, "" for the system's own
	env     []string
}

var allocators = []allocator{
	{"glibc", "", []string{ // of 2.35 and newer; others ignore it
		"GLIBC_TUNABLES=glibc.malloc.hugetlb=1:glibc.malloc.mmap_max=0:glibc.malloc.trim_threshold=17179869184:glibc.malloc.top_pad=67108864"}},
	{"jemalloc", "libjemalloc.so.2", []string{
		"MALLOC_CONF=thp:always,oversize_threshold:1,background_thread:true,metadata_thp:auto,dirty_decay_ms:-1,muzzy_decay_ms:-1"}},
	{"tcmalloc", "libtcmalloc_minimal.so.4", []string{
		"TCMALLOC_RELEASE_RATE=0", "TCMALLOC_LARGE_ALLOC_REPORT_THRESHOLD=1099511627776"}},
}

// libraries are where preloaded ones may lie.
var libraries = []string{"/usr/lib/*", "/usr/lib", "/usr/lib64", "/usr/local/lib"}

// environment returns what makes a process use the allocator; false where the
// library is missing.
func (a *allocator) environment() (env []string, ok bool) {
	if a.library == "" {
		return a.env, true
	}
	for _, dir := range libraries {
		if found, _ := filepath.Glob(filepath.Join(dir, a.library)); found != nil {
			return append(slices.Clone(a.env), "LD_PRELOAD="+found[0]), true
		}
	}
	return nil, false
}

// startBest starts a process for each chosen allocator that is there.
func startBest(o *options, dir string) (all []*python, missing []string, err error) {
	for i := range allocators {
		a := &allocators[i]
		if !o.allocators.Has(a.name) {
			continue
		}
		env, ok := a.environment()
		if !ok {
			missing = append(missing, a.name)
			continue
		}
		p, err := start(o, dir, env)
		if err != nil {
			closeAll(all)
			return nil, nil, err
		}
		p.allocator = a.name
		all = append(all, p)
	}
	return all, missing, nil
}

func closeAll(all []*python) {
	for _, p := range all {
		p.close()
	}
}

func allocatorNames() list.Names {
	var names []string
	for _, a := range allocators {
		names = append(names, a.name)
	}
	return list.Names{Chosen: names, Of: names}
}
