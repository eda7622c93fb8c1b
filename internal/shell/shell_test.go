package shell

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

func TestJoin(t *testing.T) {
	args := []string{"gradcheck", "-loss", "0.5*dice(weight=[1,2]) - ce", "", "it's", "$HOME `x` \\ \"y\" é", "-edge", "a,b=c:1.5+2@%_/"}
	line := Join(args...)
	want := `gradcheck -loss '0.5*dice(weight=[1,2]) - ce' '' 'it'\''s' '$HOME ` + "`x`" + ` \ "y" é' -edge a,b=c:1.5+2@%_/`
	if line != want {
		t.Errorf("got  %s\nwant %s", line, want)
	}
	sh, err := exec.LookPath("sh")
	if err != nil {
		t.Skip("no shell to ask")
	}
	out, err := exec.Command(sh, "-c", `printf '%s\n' `+line).Output()
	if got := strings.Split(strings.TrimSuffix(string(out), "\n"), "\n"); err != nil || !slices.Equal(got, args) {
		t.Errorf("a shell reads %q, %v", got, err)
	}
}
