//go:build !purego

#include "textflag.h"

// Sums over whole blocks of 64 floats, in 8 accumulators of 8 lanes, so that
// no addition waits for another; the memory is all there is to wait for.

DATA factor<>+0(SB)/4, $1.5
GLOBL factor<>(SB), RODATA|NOPTR, $4

// ZERO clears the accumulators.
#define ZERO \
	VXORPS Y0, Y0, Y0 \
	VXORPS Y1, Y1, Y1 \
	VXORPS Y2, Y2, Y2 \
	VXORPS Y3, Y3, Y3 \
	VXORPS Y4, Y4, Y4 \
	VXORPS Y5, Y5, Y5 \
	VXORPS Y6, Y6, Y6 \
	VXORPS Y7, Y7, Y7

// FOLD adds up the accumulators and their lanes, into X0.
#define FOLD \
	VADDPS       Y4, Y0, Y0 \
	VADDPS       Y5, Y1, Y1 \
	VADDPS       Y6, Y2, Y2 \
	VADDPS       Y7, Y3, Y3 \
	VADDPS       Y2, Y0, Y0 \
	VADDPS       Y3, Y1, Y1 \
	VADDPS       Y1, Y0, Y0 \
	VEXTRACTF128 $1, Y0, X1 \
	VADDPS       X1, X0, X0 \
	VHADDPS      X0, X0, X0 \
	VHADDPS      X0, X0, X0 \
	VZEROUPPER

// func read1AVX2(o, a, b []float32) float32
//
// Σ 1.5·a.
TEXT ·read1AVX2(SB), NOSPLIT, $0-76
	MOVQ         a_base+24(FP), SI
	MOVQ         a_len+32(FP), CX
	VBROADCASTSS factor<>(SB), Y15
	ZERO
	SHRQ         $6, CX // blocks; a part of one is left to the caller
	JZ           done1

loop1:
	VFMADD231PS (SI), Y15, Y0
	VFMADD231PS 32(SI), Y15, Y1
	VFMADD231PS 64(SI), Y15, Y2
	VFMADD231PS 96(SI), Y15, Y3
	VFMADD231PS 128(SI), Y15, Y4
	VFMADD231PS 160(SI), Y15, Y5
	VFMADD231PS 192(SI), Y15, Y6
	VFMADD231PS 224(SI), Y15, Y7
	ADDQ        $256, SI
	DECQ        CX
	JNZ         loop1

done1:
	FOLD
	MOVSS X0, ret+72(FP)
	RET

// func read2AVX2(o, a, b []float32) float32
//
// Σ a·b.
TEXT ·read2AVX2(SB), NOSPLIT, $0-76
	MOVQ a_base+24(FP), SI
	MOVQ a_len+32(FP), CX
	MOVQ b_base+48(FP), DX
	ZERO
	SHRQ $6, CX
	JZ   done2

loop2:
	VMOVUPS     (SI), Y8
	VMOVUPS     32(SI), Y9
	VMOVUPS     64(SI), Y10
	VMOVUPS     96(SI), Y11
	VMOVUPS     128(SI), Y12
	VMOVUPS     160(SI), Y13
	VMOVUPS     192(SI), Y14
	VMOVUPS     224(SI), Y15
	VFMADD231PS (DX), Y8, Y0
	VFMADD231PS 32(DX), Y9, Y1
	VFMADD231PS 64(DX), Y10, Y2
	VFMADD231PS 96(DX), Y11, Y3
	VFMADD231PS 128(DX), Y12, Y4
	VFMADD231PS 160(DX), Y13, Y5
	VFMADD231PS 192(DX), Y14, Y6
	VFMADD231PS 224(DX), Y15, Y7
	ADDQ        $256, SI
	ADDQ        $256, DX
	DECQ        CX
	JNZ         loop2

done2:
	FOLD
	MOVSS X0, ret+72(FP)
	RET
