package kernels_test

import (
	"context"
	"fmt"
	"log"
	"math"

	"github.com/segloss/segloss/kernels"
)

func Example() {
	loss, err := kernels.Parse("dice + ce")
	if err != nil {
		log.Fatal(err)
	}
	plan, err := kernels.New[float32](loss, kernels.Spec{N: 1, C: 2, S: 4, Activation: kernels.Softmax})
	if err != nil {
		log.Fatal(err)
	}
	logits := []float32{2, 1, -1, 0 /* class 1: */, -2, 0, 1, 3}
	labels := []uint8{0, 0, 1, 1}
	grad := make([]float32, len(logits))
	v, err := plan.ForwardBackward(context.Background(), grad, logits, kernels.Labels(labels), kernels.Grad{Scale: 1})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("loss %.4f, of which dice %.4f and ce %.4f\n", v.Loss, v.Terms[0].Value, v.Terms[1].Value)
	fmt.Printf("gradient by the first logit %.4f\n", grad[0])
	// Output:
	// loss 0.2402, of which dice 0.1135 and ce 0.1267
	// gradient by the first logit -0.0089
}

func ExampleParse() {
	loss, err := kernels.Parse("1e-3*bce + dice(smooth=1, weight=[1, 2, 0.5])")
	fmt.Println(loss, err)
	_, err = kernels.Parse("dice + focal_tverksy")
	fmt.Println(err)
	// Output:
	// 0.001*bce + dice(weight=[1,2,0.5],smooth=1) <nil>
	// segloss: loss "dice + focal_tverksy", column 8: unknown loss "focal_tverksy"; did you mean "focal_tversky"? (allowed: dice, dice2, iou, tversky, focal_tversky, ss, gdl, exp_log_dice, bce, wce, ce, focal, focal_ce, exp_log_ce, bce_dice, dice_ce, dice_focal, exp_log)
}

// mcc is 1 − the Matthews correlation coefficient, the mean over the classes:
//
//	1 − (TP·TN − FP·FN) / √((TP+FP)(TP+FN)(TN+FP)(TN+FN))
type mcc struct{}

func (mcc) Name() string { return "mcc" }

func (mcc) Eval(c, d []kernels.Cell) float64 {
	loss := 0.0
	for i, s := range c {
		num := s.TP*s.TN - s.FP*s.FN
		p, r, np, nr := s.TP+s.FP, s.TP+s.FN, s.TN+s.FN, s.TN+s.FP
		den := math.Sqrt(p * r * np * nr)
		if den == 0 { // a class without members, or all of the sample
			loss++
			continue
		}
		loss += 1 - num/den
		// With m = num/den: dm = dnum/den − m/2·(dp/p + dr/r + dnp/np + dnr/nr)
		h := num / den / 2
		n := float64(len(c))
		d[i].TP = -(s.TN/den - h*(1/p+1/r)) / n
		d[i].TN = -(s.TP/den - h*(1/np+1/nr)) / n
		d[i].FP = -(-s.FN/den - h*(1/p+1/nr)) / n
		d[i].FN = -(-s.FP/den - h*(1/r+1/np)) / n
	}
	return loss / float64(len(c))
}

// A region loss of one's own takes part in expressions like a built-in.
func ExampleRegion() {
	loss, err := kernels.Parse("dice + 0.5*mcc", mcc{})
	if err != nil {
		log.Fatal(err)
	}
	plan, err := kernels.New[float64](loss, kernels.Spec{N: 1, C: 1, S: 5, Activation: kernels.Sigmoid})
	if err != nil {
		log.Fatal(err)
	}
	logits := []float64{3, 1, -1, -2, -4}
	labels := []uint8{1, 1, 1, 0, 0}
	v, err := plan.Forward(context.Background(), logits, kernels.Labels(labels))
	if err != nil {
		log.Fatal(err)
	}
	for _, t := range v.Terms {
		fmt.Printf("%s %.4f\n", t.Name, t.Value)
	}
	fmt.Printf("%v: %.4f\n", loss, v.Loss)
	// Output:
	// dice 0.2327
	// mcc 0.4217
	// dice + 0.5*mcc: 0.4436
}
