# The two commands of the README are `make check` … or, without make,
# `go run ./cmd/gradcheck`, and `make test`.

.PHONY: help check test verify nightly mutants cover gen ptx ptx-check sweep bench bench-losses bench-peers bench-gpu bench-bridges bench-plot ceiling ratio brain readme

check: ## verify every analytic gradient by finite differences (1 min)
	go run ./cmd/gradcheck

test: ## run what a change is likely to break (4 min; 5 with nothing compiled)
	./scripts/test.sh

verify: ## run what test leaves out: every case, race detector, fuzzing, arm64, … (about 20 min)
	./scripts/verify.sh

nightly: ## run what does not fit into verify (some 3 hours)
	./scripts/nightly.sh

mutants: ## put faults into a copy, one at a time, and see test find each (some 2 hours)
	go run ./scripts/mutants

help: ## list the targets, with their times on two quiet cores
	@awk -F ': ## ' '/^[a-z-]+: ## / { printf "%-14s %s\n", $$1, $$2 }' Makefile

cover: ## print which part of the core packages' statements the tests reach
	go test -cover -coverpkg=./kernels,./kernels/cpu,./kernels/internal/losses,./ref -coverprofile=cover.out ./kernels/... ./ref
	go tool cover -func=cover.out | tail -n 1
	go test -cover ./gradcheck ./cmd/gradcheck

gen: ## write the assembly of package kernels anew
	cd kernels/_gen && GOWORK=off go run . -dir ..

ptx: ## compile losses.cu anew, with clang 19
	go run ./kernels/cuda/internal/modules/gen

ptx-check: ## see that the compiler makes of losses.cu what is committed
	go run ./kernels/cuda/internal/modules/gen -check

sweep: ## hold exp, log, … to their bounds: all 2³² float32 inputs, a million float64 of each range
	go test -count=1 -v -timeout 2h -run 'TestLanes|TestPrimitiveAccuracy' ./kernels -sweep.stride=1 -accuracy.points=1000000

bench: ## time every kernel against ceiling, portable backend and plain Go
	go run ./bench/table

bench-losses: ## time every loss in the L2 against portable backend and plain Go
	go run ./bench/losses

bench-peers: ## time the losses against PyTorch, where it is installed
	go run ./bench/peers

bench-gpu: ## time the losses on a GPU against a copy, and against PyTorch on it
	go run ./bench/gpu

bench-bridges: ## time a step with each framework's own operations and with ours
	for m in born gomlx gorgonia spago; do (cd bridge/$$m && go test -run '^$$' -bench Step .) || exit 1; done

bench-plot: ## draw what make bench measures
	go run ./bench/table -part kernels -c 4 -in memory -workers 1 -type f32 -baseline=false -json docs/bench.json
	go run ./bench/plot -o docs/bench.png docs/bench.json

ceiling: ## hold the probes of the ceiling to those in C
	go run ./bench/ceilings

ratio: ## time dice + ce against plain Go, in one run
	go run ./bench/ratio

brain: ## train with every loss on the MRI, about an hour on two cores, and show what became of it
	GOEXPERIMENT=simd go run ./examples/brain -all -seeds 2 -out brain-out
	GOEXPERIMENT=simd go run ./examples/brain -loss "dice + focal_ce" -out brain-out/one
	cp brain-out/losses.csv brain-out/rarest.png brain-out/one/curves.png brain-out/one/picture.png docs/brain/
	go test -run TestReadme . -update

readme: ## bring the README's tables and its pictures up to date
	go test -run TestReadme . -update
	go run ./cmd/gradcheck plot vcurve -o docs/vcurve.png
	go run ./cmd/gradcheck plot heatmap -o docs/heatmap.png
