// Package kernels computes losses for image segmentation and their gradients.
package kernels
