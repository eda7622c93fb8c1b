//go:build !purego

#include "textflag.h"

// Sums over whole blocks of 128 floats, in 8 accumulators of 16 lanes, so that
// no addition waits for another; the memory is all there is to wait for.

DATA factor<>+0(SB)/4, $1.5
GLOBL factor<>(SB), RODATA|NOPTR, $4

// ZERO clears the accumulators.
#define ZERO \
	VPXORQ Z0, Z0, Z0 \
	VPXORQ Z1, Z1, Z1 \
	VPXORQ Z2, Z2, Z2 \
	VPXORQ Z3, Z3, Z3 \
	VPXORQ Z4, Z4, Z4 \
	VPXORQ Z5, Z5, Z5 \
	VPXORQ Z6, Z6, Z6 \
	VPXORQ Z7, Z7, Z7

// FOLD adds up the accumulators and their lanes, into X0.
#define FOLD \
	VADDPS        Z4, Z0, Z0 \
	VADDPS        Z5, Z1, Z1 \
	VADDPS        Z6, Z2, Z2 \
	VADDPS        Z7, Z3, Z3 \
	VADDPS        Z2, Z0, Z0 \
	VADDPS        Z3, Z1, Z1 \
	VADDPS        Z1, Z0, Z0 \
	VEXTRACTF64X4 $1, Z0, Y1 \
	VADDPS        Y1, Y0, Y0 \
	VEXTRACTF128  $1, Y0, X1 \
	VADDPS        X1, X0, X0 \
	VHADDPS       X0, X0, X0 \
	VHADDPS       X0, X0, X0 \
	VZEROUPPER

// func read1AVX512(o, a, b []float32) float32
//
// Σ 1.5·a.
TEXT ·read1AVX512(SB), NOSPLIT, $0-76
	MOVQ         a_base+24(FP), SI
	MOVQ         a_len+32(FP), CX
	VBROADCASTSS factor<>(SB), Z15
	ZERO
	SHRQ         $7, CX // blocks; a part of one is left to the caller
	JZ           done1

loop1:
	VFMADD231PS (SI), Z15, Z0
	VFMADD231PS 64(SI), Z15, Z1
	VFMADD231PS 128(SI), Z15, Z2
	VFMADD231PS 192(SI), Z15, Z3
	VFMADD231PS 256(SI), Z15, Z4
	VFMADD231PS 320(SI), Z15, Z5
	VFMADD231PS 384(SI), Z15, Z6
	VFMADD231PS 448(SI), Z15, Z7
	ADDQ        $512, SI
	DECQ        CX
	JNZ         loop1

done1:
	FOLD
	MOVSS X0, ret+72(FP)
	RET

// func read2AVX512(o, a, b []float32) float32
//
// Σ a·b.
TEXT ·read2AVX512(SB), NOSPLIT, $0-76
	MOVQ a_base+24(FP), SI
	MOVQ a_len+32(FP), CX
	MOVQ b_base+48(FP), DX
	ZERO
	SHRQ $7, CX
	JZ   done2

loop2:
	VMOVUPS     (SI), Z8
	VMOVUPS     64(SI), Z9
	VMOVUPS     128(SI), Z10
	VMOVUPS     192(SI), Z11
	VMOVUPS     256(SI), Z12
	VMOVUPS     320(SI), Z13
	VMOVUPS     384(SI), Z14
	VMOVUPS     448(SI), Z15
	VFMADD231PS (DX), Z8, Z0
	VFMADD231PS 64(DX), Z9, Z1
	VFMADD231PS 128(DX), Z10, Z2
	VFMADD231PS 192(DX), Z11, Z3
	VFMADD231PS 256(DX), Z12, Z4
	VFMADD231PS 320(DX), Z13, Z5
	VFMADD231PS 384(DX), Z14, Z6
	VFMADD231PS 448(DX), Z15, Z7
	ADDQ        $512, SI
	ADDQ        $512, DX
	DECQ        CX
	JNZ         loop2

done2:
	FOLD
	MOVSS X0, ret+72(FP)
	RET
