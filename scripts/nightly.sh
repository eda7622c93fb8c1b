#!/usr/bin/env bash
# What takes too long for every change: `make nightly`, which a workflow runs each night.
set -u
cd "$(dirname "$0")/.."
. scripts/steps.sh

for target in linux/arm64 windows/amd64 windows/arm64 darwin/arm64; do
	step "all modules for $target: vet" cross vet "$target" "${everything[@]}"
done
step "tests, no assembly (purego), every case" tests -timeout 40m -tags purego "${everything[@]}"
step "exp, log, … at all inputs of float32" make -s sweep
fuzz_all 5m
step "mutants: faults made on purpose are found" go run ./scripts/mutants
finish
