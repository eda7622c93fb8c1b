package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/layers"
	"github.com/gomlx/gomlx/ml/layers/activation"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/ml/model/initializer"
	"github.com/gomlx/gomlx/ml/train/optimizer"

	"github.com/segloss/segloss/bridge/gomlx"
	"github.com/segloss/segloss/internal/brain"
	"github.com/segloss/segloss/kernels"
)

// data is the volume cut into slices, even ones to train on and odd ones to test.
type data struct {
	features  [brain.Z][]float32
	intensity []uint8
	label     []uint8
}

func load() (*data, error) {
	intensity, label, err := brain.Load()
	if err != nil {
		return nil, err
	}
	d := &data{intensity: intensity, label: label}
	for z := range brain.Z {
		d.features[z] = describe(intensity, z)
	}
	standardise(d.features[:], slicesOf(0))
	return d, nil
}

// gather is the features [n, plane, features] and the labels of slices.
func (d *data) gather(zs []int) (*tensors.Tensor, []uint8) {
	x := make([]float32, 0, len(zs)*plane*features)
	y := make([]uint8, 0, len(zs)*plane)
	for _, z := range zs {
		x = append(x, d.features[z]...)
		y = append(y, d.label[z*plane:(z+1)*plane]...)
	}
	return tensors.FromFlatDataAndDimensions(x, len(zs), plane, features), y
}

// network gives the logits [n, plane, classes] of each voxel from its features.
func network(scope *model.Scope, _ any, in []*graph.Node) []*graph.Node {
	h := in[0]
	for i, width := range []int{48, 32} {
		h = activation.Relu(layers.DenseWithBias(scope.In("hidden%d", i), h, width))
	}
	return []*graph.Node{layers.DenseWithBias(scope.In("logits"), h, brain.Classes)}
}

// settings of a training.
type settings struct {
	steps, batch, every int // test after every so many steps
	rate                float64
	seed                uint64
	seeds               int // trainings of each loss of the table
}

// trainer trains one network with one loss.
type trainer struct {
	settings
	*data
	step      *gomlx.Step[float32]
	predict   *model.Exec
	confusion *kernels.Plan[float32]
}

func newTrainer(backend compute.Backend, d *data, expr string, s settings) (*trainer, error) {
	loss, err := kernels.Parse(expr)
	if err != nil {
		return nil, err
	}
	store := model.NewStore()
	store.RootScope().SetParam(initializer.ParamInitialSeed, int64(s.seed))
	adam := optimizer.Adam().LearningRate(s.rate).Done()
	step, err := gomlx.NewStep[float32](backend, store, network, adam, loss, kernels.Softmax, kernels.NSC)
	if err != nil {
		return nil, err
	}
	predict, err := model.NewExec(backend, store, func(scope *model.Scope, in []*graph.Node) *graph.Node {
		return network(scope, nil, in)[0]
	})
	if err != nil {
		return nil, err
	}
	confusion, err := kernels.New[float32](loss, kernels.Spec{N: s.batch, C: brain.Classes, S: plane, Activation: kernels.Softmax, Layout: kernels.NSC})
	return &trainer{s, d, step, predict, confusion}, err
}

// point is what is seen of a training after some steps.
type point struct {
	step  int
	loss  float64 // mean since the point before
	score score   // on the test slices
}

// run trains until the steps are done or ctx is, and calls see with each point.
func (t *trainer) run(ctx context.Context, see func(point)) (perStep time.Duration, err error) {
	rng := rand.New(rand.NewPCG(t.seed, 0))
	var order []int
	var spent []time.Duration
	var sum float64
	for i := range t.steps {
		if len(order) < t.batch {
			order = slicesOf(0)
			rng.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
		}
		x, y := t.gather(order[:t.batch])
		order = order[t.batch:]
		start := time.Now()
		loss, err := t.step.Train([]*tensors.Tensor{x}, kernels.Labels(y))
		if err != nil {
			return 0, fmt.Errorf("step %d: %w", i, err)
		}
		spent = append(spent, time.Since(start))
		sum += loss
		if (i+1)%t.every == 0 || i+1 == t.steps {
			score, _, err := t.test(ctx)
			if err != nil {
				return 0, err
			}
			see(point{i + 1, sum / float64((i%t.every)+1), score})
			sum = 0
		}
		if ctx.Err() != nil {
			return median(spent), ctx.Err()
		}
	}
	return median(spent), nil
}

func median(d []time.Duration) time.Duration {
	d = slices.Clone(d)
	slices.Sort(d)
	return d[len(d)/2]
}

// slicesOf lists the even slices, or the odd ones.
func slicesOf(parity int) (zs []int) {
	for z := parity; z < brain.Z; z += 2 {
		zs = append(zs, z)
	}
	return zs
}

// test segments the odd slices: the score, and the class of each voxel, those of the
// even slices 0.
func (t *trainer) test(ctx context.Context) (score, []uint8, error) {
	var m kernels.Confusion
	predicted := make([]uint8, brain.Voxels)
	for zs := range slices.Chunk(slicesOf(1), t.batch) {
		x, y := t.gather(zs)
		logits, err := t.predict.Call1(x)
		if err != nil {
			return score{}, nil, err
		}
		err = tensors.ConstFlatData(logits, func(flat []float32) {
			for i, z := range zs {
				argmax(predicted[z*plane:(z+1)*plane], flat[i*plane*brain.Classes:])
			}
			err = t.confusion.Confusion(ctx, &m, flat, kernels.Labels(y).Sized(len(zs), plane))
		})
		if err != nil {
			return score{}, nil, err
		}
	}
	return scoreOf(&m), predicted, nil
}

// argmax is the class of each voxel.
func argmax(class []uint8, logits []float32) {
	for i := range class {
		l := logits[i*brain.Classes : (i+1)*brain.Classes]
		for c, v := range l {
			if v > l[class[i]] {
				class[i] = uint8(c)
			}
		}
	}
}

// score is what a segmentation is worth, class by class.
type score struct{ Dice, Recall, Precision [brain.Classes]float64 }

func scoreOf(m *kernels.Confusion) (s score) {
	for c := range brain.Classes {
		var truth, found float64
		for k := range brain.Classes {
			truth += m.Counts[c*brain.Classes+k]
			found += m.Counts[k*brain.Classes+c]
		}
		hit := m.Counts[c*brain.Classes+c]
		s.Dice[c] = m.Dice(c)
		s.Recall[c] = hit / truth
		if found > 0 {
			s.Precision[c] = hit / found
		}
	}
	return s
}
