/* uniform: see the header. */
#include "support/uniform.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <math.h>
#include <stdint.h>

#include <cmocka.h>

/* The normal distribution's quantile at 99.9 %. */
#define QUANTILE 3.0902

/* A quantile of the chi-square distribution, by Wilson and Hilferty's approximation, which is
 * within a hundredth for the degrees of freedom that come here. */
static double chi_square(double freedom, double quantile) {
    double share = 2 / (9 * freedom);
    return freedom * pow(1 - share + quantile * sqrt(share), 3);
}

/* Elements drawn together exclude each other, which makes their counts more even by what the
 * variance of a draw without replacement says. */
void assert_uniform(const unsigned *counts, size_t size, size_t at_once) {
    double total = 0;
    for (size_t i = 0; i < size; i++) {
        total += counts[i];
    }
    double expected = total / (double)size;
    double sum = 0;
    for (size_t i = 0; i < size; i++) {
        sum += (counts[i] - expected) * (counts[i] - expected) / expected;
    }
    double freedom = (double)size - 1;
    if (at_once > 1) {
        sum *= freedom / (double)(size - at_once);
    }
    double least = chi_square(freedom, -QUANTILE);
    double most = chi_square(freedom, QUANTILE);
    if (sum < least || sum > most) {
        fail_msg("chi-square of %zu elements is %.1f, not between %.1f and %.1f", size, sum, least,
                 most);
    }
}
