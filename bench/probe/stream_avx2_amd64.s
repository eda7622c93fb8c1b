//go:build !purego

#include "textflag.h"

// Streaming stores of whole blocks of 64 floats: they go past the caches, so that
// no line of o is read before it is written. o lies at a multiple of 32 bytes.

DATA factor<>+0(SB)/4, $1.5
GLOBL factor<>(SB), RODATA|NOPTR, $4

// func r1w1ntAVX2(o, a, b []float32) float32
//
// o = 1.5·a + 1.5.
TEXT ·r1w1ntAVX2(SB), NOSPLIT, $0-76
	MOVQ         o_base+0(FP), DI
	MOVQ         a_base+24(FP), SI
	MOVQ         a_len+32(FP), CX
	VBROADCASTSS factor<>(SB), Y15
	SHRQ         $5, CX // steps of 4 vectors; what is left is the caller's
	JZ           done1

loop1:
	VMOVUPS     (SI), Y0
	VMOVUPS     32(SI), Y1
	VMOVUPS     64(SI), Y2
	VMOVUPS     96(SI), Y3
	VFMADD213PS Y15, Y15, Y0
	VFMADD213PS Y15, Y15, Y1
	VFMADD213PS Y15, Y15, Y2
	VFMADD213PS Y15, Y15, Y3
	VMOVNTPS    Y0, (DI)
	VMOVNTPS    Y1, 32(DI)
	VMOVNTPS    Y2, 64(DI)
	VMOVNTPS    Y3, 96(DI)
	ADDQ        $128, SI
	ADDQ        $128, DI
	DECQ        CX
	JNZ         loop1

done1:
	SFENCE     // streaming stores are weakly ordered: done before anyone is told
	VZEROUPPER
	MOVL       $0, ret+72(FP)
	RET

// func r2w1ntAVX2(o, a, b []float32) float32
//
// o = 1.5·a + b.
TEXT ·r2w1ntAVX2(SB), NOSPLIT, $0-76
	MOVQ         o_base+0(FP), DI
	MOVQ         a_base+24(FP), SI
	MOVQ         a_len+32(FP), CX
	MOVQ         b_base+48(FP), DX
	VBROADCASTSS factor<>(SB), Y15
	SHRQ         $5, CX // steps of 4 vectors; what is left is the caller's
	JZ           done2

loop2:
	VMOVUPS     (SI), Y0
	VMOVUPS     32(SI), Y1
	VMOVUPS     64(SI), Y2
	VMOVUPS     96(SI), Y3
	VFMADD213PS (DX), Y15, Y0
	VFMADD213PS 32(DX), Y15, Y1
	VFMADD213PS 64(DX), Y15, Y2
	VFMADD213PS 96(DX), Y15, Y3
	VMOVNTPS    Y0, (DI)
	VMOVNTPS    Y1, 32(DI)
	VMOVNTPS    Y2, 64(DI)
	VMOVNTPS    Y3, 96(DI)
	ADDQ        $128, SI
	ADDQ        $128, DX
	ADDQ        $128, DI
	DECQ        CX
	JNZ         loop2

done2:
	SFENCE     // streaming stores are weakly ordered: done before anyone is told
	VZEROUPPER
	MOVL       $0, ret+72(FP)
	RET

// func w1ntAVX2(o, a, b []float32) float32
//
// o = 1.5; a gives the length.
TEXT ·w1ntAVX2(SB), NOSPLIT, $0-76
	MOVQ         o_base+0(FP), DI
	MOVQ         a_len+32(FP), CX
	VBROADCASTSS factor<>(SB), Y15
	SHRQ         $5, CX // steps of 4 vectors; what is left is the caller's
	JZ           done3

loop3:
	VMOVNTPS Y15, (DI)
	VMOVNTPS Y15, 32(DI)
	VMOVNTPS Y15, 64(DI)
	VMOVNTPS Y15, 96(DI)
	ADDQ     $128, DI
	DECQ     CX
	JNZ      loop3

done3:
	SFENCE     // streaming stores are weakly ordered: done before anyone is told
	VZEROUPPER
	MOVL       $0, ret+72(FP)
	RET
