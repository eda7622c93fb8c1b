// Package segloss is the root of a module of loss kernels for image
// segmentation with rare classes.
//
// The losses and their gradients are in package
// [github.com/segloss/segloss/kernels], their textbook formulas in
// [github.com/segloss/segloss/ref], and the finite-difference checker in
// [github.com/segloss/segloss/gradcheck].
package segloss
