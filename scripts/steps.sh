# What test.sh, verify.sh and nightly.sh share: steps that print one line each, and
# their output only where they fail. What cannot be had on a machine (a linter, an
# emulator) is said to be left out, with the reason. To be sourced, in the root.

# Every module of go.work, those packages first that test longest: go starts them in
# this order.
IFS=$'\n' read -r -d '' -a modules < <(go list -m -f '{{.Dir}}')
everything=(./kernels/... ./gradcheck/... "${modules[@]/%//...}")

export GOFLAGS="${GOFLAGS:-}"
log=$(mktemp -d)
trap 'rm -rf "$log"' EXIT
trap 'exit 130' INT TERM
passed=0 failed=0 left_out=0

load() { uptime | sed 's/.*load average/load/'; }

echo "$(go version), $(getconf _NPROCESSORS_ONLN) cores, $(load)"

step() { # name, command …
	local name=$1 start=$SECONDS
	shift
	if "$@" >"$log/out" 2>&1; then
		printf 'ok    %-52s %4ds\n' "$name" $((SECONDS - start))
		passed=$((passed + 1))
	else
		printf 'FAIL  %-52s %4ds\n' "$name" $((SECONDS - start))
		sed 's/^/      /' "$log/out"
		failed=$((failed + 1))
		[ -z "${FAILFAST:-}" ] || finish
	fi
}

leave_out() { # name, reason
	printf 'left out  %-48s %s\n' "$1" "$2"
	left_out=$((left_out + 1))
}

tests() { # arguments of go test; what failed is printed, and all times are kept
	local out
	out=$(mktemp "$log/XXXXXX.json")
	go test -json ${FAILFAST:+-failfast} "$@" >"$out" || { go run ./scripts/testlog failures "$out"; return 1; }
}

each_module() { # command …, in the folder of every module
	local m
	for m in "${modules[@]}"; do (cd "$m" && "$@") || return 1; done
}

cross() { # build or vet, system/architecture, packages: for there, without cgo
	local command=$1 target=$2
	shift 2
	env CGO_ENABLED=0 GOOS="${target%/*}" GOARCH="${target#*/}" go "$command" "$@"
}

fuzz_all() { # time for each target
	local file name found=0
	while IFS=: read -r file name; do
		found=1
		step "fuzz $name $1" env -C "$(dirname "$file")" go test -run='^$' -fuzz="^$name\$" -fuzztime="$1" .
	done < <(grep -roHE '^func Fuzz[A-Za-z0-9_]*' --include='*_test.go' . | sed 's/func //' | sort)
	[ "$found" = 1 ] || step "fuzz: no target found" false
}

installed() { # program, Debian packages that have it
	command -v "$1" >/dev/null && return
	shift
	[ "$(id -u)" = 0 ] && command -v apt-get >/dev/null || return 1
	(apt-get update && apt-get install -y --no-install-recommends "$@") >"$log/install" 2>&1
}

finish() { # the summary; the script ends with it
	[ -z "$(ls "$log"/*.json 2>/dev/null)" ] || go run ./scripts/testlog slowest 10 "$log"/*.json
	[ "$left_out" = 0 ] || echo "$left_out left out"
	echo "$SECONDS s, $(load)"
	echo "$passed passed, $failed failed"
	[ "$failed" = 0 ]
	exit
}
