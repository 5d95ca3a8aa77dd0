#include "bin/cli/commands.hpp"

#include <string>
#include <vector>

int main(int argc, char** argv) {
    std::vector<std::string> words(argv + 1, argv + argc);
    if (!words.empty() && words.front() == "serve") {
        words.erase(words.begin());
        return troupe::cli::serve_main(words);
    }
    return troupe::cli::run_cli(words, troupe::cli::surroundings_here());
}
