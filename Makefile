# The two commands of the README are `make check` … or, without make,
# `go run ./cmd/gradcheck`, and `make test`.

.PHONY: check test bench ratio readme

check: ## verify every analytic gradient by finite differences
	go run ./cmd/gradcheck

test: ## run all tests, as CI does
	./scripts/test.sh

bench: ## time every loss on every backend
	go test -run '^$$' -bench . ./bench

ratio: ## time dice + ce against plain Go, in one run
	go run ./bench/ratio

readme: ## bring the README's table of losses up to date
	go test -run TestReadme . -update
