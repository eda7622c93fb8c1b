//go:build !purego

#include "textflag.h"

// Streaming stores of whole blocks of 128 floats: they go past the caches, so that
// no line of o is read before it is written. o lies at a multiple of 64 bytes.

DATA factor<>+0(SB)/4, $1.5
GLOBL factor<>(SB), RODATA|NOPTR, $4

// func r1w1ntAVX512(o, a, b []float32) float32
//
// o = 1.5·a + 1.5.
TEXT ·r1w1ntAVX512(SB), NOSPLIT, $0-76
	MOVQ         o_base+0(FP), DI
	MOVQ         a_base+24(FP), SI
	MOVQ         a_len+32(FP), CX
	VBROADCASTSS factor<>(SB), Z15
	SHRQ         $6, CX // steps of 4 vectors; what is left is the caller's
	JZ           done1

loop1:
	VMOVUPS     (SI), Z0
	VMOVUPS     64(SI), Z1
	VMOVUPS     128(SI), Z2
	VMOVUPS     192(SI), Z3
	VFMADD213PS Z15, Z15, Z0
	VFMADD213PS Z15, Z15, Z1
	VFMADD213PS Z15, Z15, Z2
	VFMADD213PS Z15, Z15, Z3
	VMOVNTPS    Z0, (DI)
	VMOVNTPS    Z1, 64(DI)
	VMOVNTPS    Z2, 128(DI)
	VMOVNTPS    Z3, 192(DI)
	ADDQ        $256, SI
	ADDQ        $256, DI
	DECQ        CX
	JNZ         loop1

done1:
	SFENCE     // streaming stores are weakly ordered: done before anyone is told
	VZEROUPPER
	MOVL       $0, ret+72(FP)
	RET

// func r2w1ntAVX512(o, a, b []float32) float32
//
// o = 1.5·a + b.
TEXT ·r2w1ntAVX512(SB), NOSPLIT, $0-76
	MOVQ         o_base+0(FP), DI
	MOVQ         a_base+24(FP), SI
	MOVQ         a_len+32(FP), CX
	MOVQ         b_base+48(FP), DX
	VBROADCASTSS factor<>(SB), Z15
	SHRQ         $6, CX // steps of 4 vectors; what is left is the caller's
	JZ           done2

loop2:
	VMOVUPS     (SI), Z0
	VMOVUPS     64(SI), Z1
	VMOVUPS     128(SI), Z2
	VMOVUPS     192(SI), Z3
	VFMADD213PS (DX), Z15, Z0
	VFMADD213PS 64(DX), Z15, Z1
	VFMADD213PS 128(DX), Z15, Z2
	VFMADD213PS 192(DX), Z15, Z3
	VMOVNTPS    Z0, (DI)
	VMOVNTPS    Z1, 64(DI)
	VMOVNTPS    Z2, 128(DI)
	VMOVNTPS    Z3, 192(DI)
	ADDQ        $256, SI
	ADDQ        $256, DX
	ADDQ        $256, DI
	DECQ        CX
	JNZ         loop2

done2:
	SFENCE     // streaming stores are weakly ordered: done before anyone is told
	VZEROUPPER
	MOVL       $0, ret+72(FP)
	RET

// func w1ntAVX512(o, a, b []float32) float32
//
// o = 1.5; a gives the length.
TEXT ·w1ntAVX512(SB), NOSPLIT, $0-76
	MOVQ         o_base+0(FP), DI
	MOVQ         a_len+32(FP), CX
	VBROADCASTSS factor<>(SB), Z15
	SHRQ         $6, CX // steps of 4 vectors; what is left is the caller's
	JZ           done3

loop3:
	VMOVNTPS Z15, (DI)
	VMOVNTPS Z15, 64(DI)
	VMOVNTPS Z15, 128(DI)
	VMOVNTPS Z15, 192(DI)
	ADDQ     $256, DI
	DECQ     CX
	JNZ      loop3

done3:
	SFENCE     // streaming stores are weakly ordered: done before anyone is told
	VZEROUPPER
	MOVL       $0, ret+72(FP)
	RET
