// resident: the loop of ceiling.c, unchanged, on arrays that stay in the L2. There one pass takes less time than
// a barrier, so each thread does many of them between two. Prints the same lines.
//   gcc -O3 -mavx2 -mfma -pthread resident.c -o resident && ./resident KiB-per-array threads repeats passes
#define main ceiling_main
#include "ceiling.c"
#undef main

static int passes;

static void *run_resident(void *p) {
    job *j = p;
    cpu_set_t set; CPU_ZERO(&set); CPU_SET(j->cpu, &set);
    pthread_setaffinity_np(pthread_self(), sizeof set, &set);
    for (int r = -1; r < j->repeats; r++) {
        pthread_barrier_wait(j->bar);
        double t = now();
        for (int k = 0; k < passes; k++) stream(j);
        pthread_barrier_wait(j->bar);
        if (r >= 0 && j->cpu == 0) j->t[r] = (now() - t) / passes;
    }
    return 0;
}

int main(int argc, char **argv) {
    if (argc != 5) return 2;
    size_t n = atol(argv[1]) * (1 << 8);
    int threads = atoi(argv[2]), repeats = atoi(argv[3]);
    passes = atoi(argv[4]);
    float *a = array(n), *b = array(n + 1024) + 1024, *o = array(n);
    for (int kind = 0; kind < KINDS; kind++) {
        pthread_barrier_t bar; pthread_barrier_init(&bar, 0, threads);
        pthread_t th[64]; job j[64]; double t[100];
        for (int i = 0; i < threads; i++) {
            size_t lo = n / threads * i / 64 * 64;
            j[i] = (job){kind, i, a + lo, b + lo, o + lo, n / threads / 64 * 64, &bar, repeats, t};
            pthread_create(&th[i], 0, run_resident, &j[i]);
        }
        for (int i = 0; i < threads; i++) pthread_join(th[i], 0);
        qsort(t, repeats, sizeof *t, less);
        printf("%-7s threads=%d  %.4f ns/float  %.1f GB/s  (min %.4f max %.4f)\n", name[kind], threads, t[repeats / 2] / n * 1e9,
               arrays[kind] * 4 / (t[repeats / 2] / n * 1e9), t[0] / n * 1e9, t[repeats - 1] / n * 1e9);
    }
}
