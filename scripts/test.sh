#!/usr/bin/env bash
# What a change is likely to break, in minutes: `make test`. CONTRIBUTING.md says which
# step guards what; verify.sh has the rest.
set -u
cd "$(dirname "$0")/.."
. scripts/steps.sh

formatted() {
	local files
	files=$(gofmt -l .) && [ -z "$files" ] || { echo "not formatted: $files"; return 1; }
}

step "gofmt" formatted
step "go.mod and go.sum tidy" each_module env GOWORK=off go mod tidy -diff
step "go vet" go vet "${everything[@]}"
step "tests, examples, golden data, fuzz seeds" tests -short -timeout 20m "${everything[@]}"
step "tests, no assembly (purego)" tests -short -timeout 20m -tags purego ./kernels ./kernels/cpu
for target in linux/arm64 windows/amd64; do
	step "build for $target" cross build "$target" ./... ./cmd/gradcheck
done
step "gradient check of everything" go run ./cmd/gradcheck
finish
