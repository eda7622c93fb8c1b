package cuda

// call is struct Call of abi.h: the parameter of the kernels. A test holds both to each
// other.
type call struct {
	x, dx, target, weights, mask           uintptr
	program                                uintptr
	sums, coef, result                     uintptr
	partial, scratch, cells, bad, counters uintptr

	s, chunk, ignore int64
	scale, clip      float64
	limit            float32

	n, perSample, epoch    uint32
	activation             int32
	targetKind             int32
	hasIgnore, accumulate  int32
	channelsLast           int32
	finish, cached, passes int32
}

// The passes of a launch.
const (
	passReduce   = 1
	passBackward = 2
	passFinish   = 4
)

const (
	threads     = 256 // THREADS: of a block
	warps       = threads / 32
	firstSample = 2 // FIRST_SAMPLE: of the counters
)

// Logits, or their spread, up to these go through float arithmetic on the device: there no
// product that is summed underflows, which squares do sooner.
const (
	limit        = 60
	limitSquares = 32
	noFloats     = -1 // all tiles are done in double
)
