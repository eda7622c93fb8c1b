package kernels

// WithThresholds lets tests cut the work as small as they like.
func WithThresholds(tile, flush, chunk, single int) Option {
	return func(c *config) { c.thresholds = thresholds{tile, flush, chunk, single} }
}

// RealThresholds are those of a plan for that many float32 classes.
func RealThresholds(classes int) (tile, flush, chunk, single int) {
	t := realThresholds
	return tileSize[float32](classes), t.flush, t.chunk, t.single
}
