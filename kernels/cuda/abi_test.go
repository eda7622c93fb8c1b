package cuda

import (
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"unsafe"

	"github.com/segloss/segloss/kernels/internal/losses"
)

// header is abi.h, whose numbers the compiler has seen to be right.
func header(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("abi.h")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// number finds what a pattern captures in the header.
func number(t *testing.T, text, pattern string) int {
	t.Helper()
	m := regexp.MustCompile(pattern).FindStringSubmatch(text)
	if m == nil {
		t.Fatalf("abi.h has no %s", pattern)
	}
	n, err := strconv.Atoi(m[1])
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestLayout(t *testing.T) {
	text := header(t)
	for _, c := range []struct {
		pattern string
		got     int
	}{
		{`sizeof\(Power\) == (\d+)`, int(unsafe.Sizeof(devicePower{}))},
		{`sizeof\(Term\) == (\d+)`, int(unsafe.Sizeof(deviceTerm{}))},
		{`sizeof\(Program\) == (\d+)`, int(unsafe.Sizeof(deviceProgram{}))},
		{`sizeof\(Call\) == (\d+)`, int(unsafe.Sizeof(call{}))},
		{`offsetof\(Call, s\) == (\d+)`, int(unsafe.Offsetof(call{}.s))},
		{`offsetof\(Call, n\) == (\d+)`, int(unsafe.Offsetof(call{}.n))},
		{`MAX_POWERS = (\d+)`, maxPowers},
		{`REDUCE = (\d+)`, passReduce},
		{`BACKWARD = (\d+)`, passBackward},
		{`FINISH = (\d+);`, passFinish},
		{`FIRST_SAMPLE = (\d+)`, firstSample},
		{`OFF_R = (\d+)`, losses.OffR},
		{`OFF_NR = (\d+)`, losses.OffNR},
		{`OFF_RR = (\d+)`, losses.OffRR},
		{`TN = (\d+)`, losses.TN},
		{`SQB = (\d+)`, losses.SQB},
	} {
		if want := number(t, text, c.pattern); c.got != want {
			t.Errorf("%s: %d here", c.pattern, c.got)
		}
	}
}

// TestNames holds the lists of names to the enums that they number.
func TestNames(t *testing.T) {
	text := header(t)
	targets := []string{"own", "f32"}
	for _, l := range labelTypes {
		targets = append(targets, strings.NewReplacer("uint", "u", "int", "i").Replace(l.name))
	}
	for _, c := range []struct {
		enum, prefix string
		names        []string
	}{
		{"Finish", "FINISH_", finishes}, {"Divisor", "DIV_", divisors},
		{"WeightType", "WEIGHT_", weightTypes}, {"AbsentWeight", "ABSENT_", absentWeights},
		{"TargetKind", "TARGET_", targets},
	} {
		m := regexp.MustCompile(`enum ` + c.enum + ` : i32 \{([^}]*)\}`).FindStringSubmatch(text)
		if m == nil {
			t.Fatalf("no enum %s", c.enum)
		}
		var got []string
		for _, name := range regexp.MustCompile(c.prefix+`\w+`).FindAllString(m[1], -1) {
			got = append(got, strings.ReplaceAll(strings.ToLower(strings.TrimPrefix(name, c.prefix)), "_", " "))
		}
		want := strings.ReplaceAll(strings.Join(c.names, ","), "_", " ")
		if strings.Join(got, ",") != want {
			t.Errorf("enum %s is %v; here %v", c.enum, got, c.names)
		}
	}
}

// TestEveryLossIsFinishedOnTheDevice: none of the list is left to the host unawares.
func TestEveryLossIsFinishedOnTheDevice(t *testing.T) {
	for _, l := range losses.All {
		if l.Parts != nil {
			continue
		}
		term := losses.Term{Loss: l, Coef: 1, Opt: l.Resolve(nil)}
		_, custom, err := encode(losses.Compile([]losses.Term{term}, 3))
		if err != nil || custom {
			t.Errorf("%s: left to the host %v, %v", l.Name, custom, err)
		}
	}
}
