#include "interval.hpp"

    int
    largest(int a, int b) {
    if (a > b) {
        return a;
    }
    return b;
}

// Wrong on purpose: `high` belongs to the interval.
bool contains(int low, int high, int number) { return number >= low && number < high; }
