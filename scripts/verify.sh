#!/usr/bin/env bash
# What test.sh leaves out of its tests, and the checks that take long: `make verify`.
# CONTRIBUTING.md says which step guards what; nightly.sh has what does not fit here.
set -u
cd "$(dirname "$0")/.."
. scripts/steps.sh

race() { # tests of every module under the race detector
	# GoMLX's matrix product forms pointers past the end of its operands, which the
	# checks of pointers that come with the detector do not let pass.
	local module with=() without=()
	for module in "${modules[@]}"; do
		if grep -qs gomlx/compute "$module/go.mod"; then with+=("$module/..."); else without+=("$module/..."); fi
	done
	tests -short -race -timeout 30m "${without[@]}" && tests -short -race -timeout 30m -gcflags=all=-d=checkptr=0 "${with[@]}"
}

# A tool of a module, run without becoming a dependency of ours.
staticcheck=honnef.co/go/tools/cmd/staticcheck@v0.7.0

assembly_current() { # the generator writes what is committed
	mkdir -p "$log/asm"
	(cd kernels/_gen && export GOWORK=off && go mod tidy -diff && go vet . && go run . -dir "$log/asm") || return 1
	local f
	for f in "$log"/asm/*; do diff -q "$f" "kernels/${f##*/}" || return 1; done
}

if go run "$staticcheck" -version >"$log/staticcheck" 2>&1; then
	step "staticcheck" go run "$staticcheck" "${everything[@]}"
else
	leave_out "staticcheck" "$(tail -n 1 "$log/staticcheck")"
fi
step "nested modules build without go.work" each_module env GOWORK=off go build -o /dev/null ./...
step "generated assembly up to date" assembly_current
if installed clang-19 clang-19; then
	step "PTX is what clang makes of losses.cu" make -s ptx-check
else
	leave_out "PTX is what clang makes of losses.cu" "clang-19 is not here and cannot be installed; the tests hold the PTX to the hash of its source"
fi
if installed mpirun openmpi-bin libopenmpi-dev pkg-config && pkg-config --exists ompi-c; then
	step "a batch over processes of MPI: vet" env -C examples/mpi go vet -tags mpi ./...
else
	leave_out "a batch over processes of MPI" "mpirun with its headers is not here and cannot be installed"
fi
python3 -c 'import torch' >"$log/torch" 2>&1 ||
	leave_out "PyTorch through the C interface" "no python3 with torch: $(tail -n 1 "$log/torch")"
step "tests, every case, threshold and backend" tests -timeout 40m "${everything[@]}"
if [ "$(go env CGO_ENABLED)" = 1 ]; then
	step "tests, race detector" race
else
	leave_out "tests, race detector" "the race detector needs cgo and a C compiler"
fi
# The headers are looked for where gorgonia.org/cu does, and where CGO_CFLAGS says.
printf '#include <%s>\n' cuda.h cublas_v2.h cudnn.h nvrtc.h >"$log/headers.c"
if ${CC:-cc} ${CGO_CFLAGS:-} -I/usr/local/cuda/include -fsyntax-only "$log/headers.c" >"$log/headers" 2>&1; then
	step "Gorgonia's bridge with the tag cuda" env -C bridge/gorgonia go vet -tags cuda ./...
else
	leave_out "Gorgonia's bridge with the tag cuda" "$(grep -m 1 error "$log/headers" || echo no C compiler)"
fi
fuzz_all 5s
for target in linux/arm64 windows/amd64 windows/arm64 darwin/arm64; do
	step "vet for $target" cross vet "$target" ./... ./cmd/gradcheck
done
if installed qemu-aarch64 qemu-user; then
	# without package cuda, whose programs need that system's C library
	step "arm64 tests under qemu" env CGO_ENABLED=0 GOARCH=arm64 go test -short -timeout 40m -exec qemu-aarch64 ./kernels ./kernels/cpu ./kernels/internal/... ./kernels/cuda/internal/ptxsim ./ref
else
	leave_out "arm64 tests under qemu" "qemu-aarch64 is not here and cannot be installed"
fi
step "gradient check, nothing thinned" go run ./cmd/gradcheck -full
step "gradient check of the CUDA kernels, interpreted" env SEGLOSS_CUDA=sim go run ./cmd/gradcheck -backend cuda
step "self-test with every option of every loss" go run ./cmd/gradcheck -selftest
step "errors that the estimator claims" go run ./cmd/gradcheck coverage
finish
