#!/usr/bin/env bash
# All tests of the project; `make test` runs it. Each step prints one line, and
# its output only where it fails. What cannot be had on this machine (a linter,
# an emulator) is said to be left out, with the reason.
set -u
cd "$(dirname "$0")/.."
export GOFLAGS="${GOFLAGS:-}"
modules=(. bench/plot bridge/born bridge/c bridge/gomlx bridge/gorgonia bridge/spago cmd/gradcheck examples/brain examples/mpi)
fuzztime=${FUZZTIME:-5s}
log=$(mktemp -d)
trap 'rm -rf "$log"' EXIT
passed=0 failed=0 left_out=0

step() { # name, command …
	local name=$1 start=$SECONDS
	shift
	if "$@" >"$log/out" 2>&1; then
		printf 'ok    %-44s %4ds\n' "$name" $((SECONDS - start))
		passed=$((passed + 1))
	else
		printf 'FAIL  %-44s %4ds\n' "$name" $((SECONDS - start))
		sed 's/^/      /' "$log/out"
		failed=$((failed + 1))
	fi
}

leave_out() { # name, reason
	printf 'left out  %-40s %s\n' "$1" "$2"
	left_out=$((left_out + 1))
}

each_module() { # command …, in every module
	local m
	for m in "${modules[@]}"; do (cd "$m" && "$@") || return 1; done
}

formatted() {
	local files
	files=$(gofmt -l .) && [ -z "$files" ] || { echo "not formatted: $files"; return 1; }
}

tidy() { each_module env GOWORK=off go mod tidy -diff; }

cross() { # builds, and compiles the tests, for another system
	each_module env CGO_ENABLED=0 GOOS="$1" GOARCH="$2" go build -o /dev/null ./... &&
		each_module env CGO_ENABLED=0 GOOS="$1" GOARCH="$2" go vet ./...
}

race() { # tests of a module under the race detector
	local flags=()
	# GoMLX's matrix product forms pointers past the end of its operands, which the
	# checks of pointers that come with the detector do not let pass.
	grep -q gomlx/compute go.mod && flags=(-gcflags=all=-d=checkptr=0)
	go test -short -race -timeout 40m "${flags[@]}" ./...
}

fuzz() { # package, target
	(cd "$1" && go test -run='^$' -fuzz="^$2\$" -fuzztime="$fuzztime" .)
}

fuzz_all() {
	local file name found=0
	while IFS=: read -r file name; do
		found=1
		step "fuzz $name $fuzztime" fuzz "$(dirname "$file")" "$name"
	done < <(grep -roHE '^func Fuzz[A-Za-z0-9_]*' --include='*_test.go' . | sed 's/func //' | sort)
	[ "$found" = 1 ] || step "fuzz: no target found" false
}

# A tool of a module, run without becoming a dependency of ours.
staticcheck=honnef.co/go/tools/cmd/staticcheck@v0.7.0

assembly_current() { # the generator writes what is committed
	mkdir -p "$log/asm"
	(cd kernels/_gen && export GOWORK=off && go mod tidy -diff && go vet . && go run . -dir "$log/asm") || return 1
	local f
	for f in "$log"/asm/*; do diff -q "$f" "kernels/${f##*/}" || return 1; done
}

installed() { # program, packages that have it
	command -v "$1" >/dev/null && return
	shift
	[ "$(id -u)" = 0 ] && command -v apt-get >/dev/null || return 1
	(apt-get update && apt-get install -y --no-install-recommends "$@") >"$log/install" 2>&1
}

step "gofmt" formatted
step "go vet" each_module go vet ./...
if go run "$staticcheck" -version >"$log/staticcheck" 2>&1; then
	step "staticcheck" each_module go run "$staticcheck" ./...
else
	leave_out "staticcheck" "$(tail -n 1 "$log/staticcheck")"
fi
step "go.mod and go.sum tidy" tidy
step "nested modules build without go.work" each_module env GOWORK=off go build -o /dev/null ./...
step "generated files up to date" go test -count=1 -run 'TestReadme' .
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
step "tests, examples, golden data, fuzz seeds" each_module go test -count=1 -timeout 30m ./...
step "tests, no assembly (purego)" each_module go test -count=1 -timeout 30m -tags purego ./...
if [ "$(go env CGO_ENABLED)" = 1 ]; then
	step "tests, race detector" each_module race
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
fuzz_all
for target in linux/arm64 windows/amd64 windows/arm64 darwin/arm64; do
	step "build and vet for $target" cross "${target%/*}" "${target#*/}"
done
if installed qemu-aarch64 qemu-user; then
	# without package cuda, whose programs need that system's C library
	step "arm64 tests under qemu" env CGO_ENABLED=0 GOARCH=arm64 go test -short -timeout 40m -exec qemu-aarch64 ./kernels ./kernels/cpu ./kernels/internal/... ./kernels/cuda/internal/ptxsim ./ref
else
	leave_out "arm64 tests under qemu" "qemu-aarch64 is not here and cannot be installed"
fi
step "gradient check of everything" go run ./cmd/gradcheck
step "gradient check of the CUDA kernels, interpreted" env SEGLOSS_CUDA=sim go run ./cmd/gradcheck -backend cuda
step "self-test with every option of every loss" go run ./cmd/gradcheck -selftest
step "errors that the estimator claims" go run ./cmd/gradcheck coverage

[ "$left_out" = 0 ] || echo "$left_out left out"
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
