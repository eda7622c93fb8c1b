package exact

import (
	"math"
	"math/big"
	"testing"
)

// decimal returns a number written in decimal.
func decimal(tb testing.TB, text string) *big.Float {
	tb.Helper()
	x, _, err := big.ParseFloat(text, 10, precision+64, big.ToNearestEven)
	if err != nil {
		tb.Fatal(err)
	}
	return x
}

// near fails unless a and b agree to 75 digits.
func near(t *testing.T, what string, a, b *big.Float) {
	t.Helper()
	d := new(big.Float).SetPrec(precision+64).Sub(a, b)
	if d.Sign() == 0 {
		return
	}
	if digits := float64(b.MantExp(nil)-d.MantExp(nil)) * math.Log10(2); digits < 75 {
		t.Errorf("%s = %.80g; want %.80g (%.1f digits)", what, a, b, digits)
	}
}

// The constants are of Python's decimal at 95 digits.
func TestBigConstants(t *testing.T) {
	f := bigs{}
	for _, c := range []struct {
		what string
		got  *big.Float
		want string
	}{
		{"ln 2", f.Log(f.Num(2)), "0.69314718055994530941723212145817656807550013436025525412068000949339362196969471560586332699642"},
		{"ln 10", f.Log(f.Num(10)), "2.3025850929940456840179914546843642076011014886287729760333279009675726096773524802359972050896"},
		{"e", f.Exp(f.Num(1)), "2.7182818284590452353602874713526624977572470936999595749669676277240766303535475945713821785252"},
		{"e^-100", f.Exp(f.Num(-100)), "3.7200759760208359629596958038631183373588922923767819671206138766632904758958157181571187786423E-44"},
		{"e^1e6", f.Exp(f.Num(1e6)), "3.0332153968020875450864021414181143270839737948134774096061949997862264631864236524757792028477E+434294"},
		{"√2", f.Pow(f.Num(2), 0.5), "1.4142135623730950488016887242096980785696718753769480731766797379907324784621070388503875343276"},
		{"2^0.3", f.Pow(f.Num(2), 0.3), "1.2311444133449162750251463600924070937055258603218926784039552155642322229033858565855195804939"},
		{"ln(1+2^-100)", f.Log1p(f.Num(0x1p-100)), "7.8886090522101180541172856528247507890931337802366580156759008808848183064911571150241011028163E-31"},
	} {
		near(t, c.what, c.got, decimal(t, c.want))
	}
}

func TestBigIdentities(t *testing.T) {
	f := bigs{}
	for _, x := range []float64{1e-30, 1e-9, 0.1, 0.499, 0.5, 0.7071, 0.70711, 0.75, 1 - 0x1p-53, 1, 1 + 0x1p-52, 1.4142, 1.5, 3, 1e10, 1e30} {
		a := f.Num(x)
		near(t, "exp(log x)", f.Exp(f.Log(a)), a)
		near(t, "log(x³)", f.Log(f.Mul(a, f.Mul(a, a))), f.Mul(f.Num(3), f.Log(a)))
		near(t, "(x^0.5)²", f.Pow(f.Pow(a, 0.5), 2), a)
		near(t, "x^-3", f.Pow(a, -3), f.Div(f.Num(1), f.Mul(a, f.Mul(a, a))))
		if x < 1 {
			near(t, "exp(log1p(−x))", f.Exp(f.Log1p(f.Num(-x))), f.Sub(f.Num(1), a))
		}
		if x > 1e-9 && x < 1e6 {
			near(t, "e^x e^-x", f.Mul(f.Exp(a), f.Exp(f.Num(-x))), f.Num(1))
			near(t, "e^(x+1)", f.Exp(f.Add(a, f.Num(1))), f.Mul(f.Exp(a), f.Exp(f.Num(1))))
		}
		got, _ := f.Exp(f.Log1p(f.Num(x / 7))).Float64()
		if want := 1 + x/7; math.Abs(got-want) > 1e-15*want {
			t.Errorf("exp(log1p(%v)) = %v; want %v", x/7, got, want)
		}
	}
	near(t, "(−2)³", f.Pow(f.Num(-2), 3), f.Num(-8))
	near(t, "(−2)²", f.Pow(f.Num(-2), 2), f.Num(4))
	near(t, "0^0", f.Pow(f.Num(0), 0), f.Num(1))
	near(t, "0^0.5", f.Pow(f.Num(0), 0.5), f.Num(0))
	near(t, "e^0", f.Exp(f.Num(0)), f.Num(1))
	near(t, "ln(1+0)", f.Log1p(f.Num(0)), f.Num(0))
}
