#include "actors/application/serve.hpp"
#include "bin/cli/commands.hpp"

#include <filesystem>
#include <string>
#include <system_error>
#include <vector>

int main(int argc, char** argv) {
    std::vector<std::string> words(argv + 1, argv + argc);
    if (!words.empty() && words.front() == "serve") {
        words.erase(words.begin());
        std::error_code ignored; // the runner stands beside this program; without it commands are refused
        const auto self = std::filesystem::read_symlink("/proc/self/exe", ignored);
        return troupe::actors::serve(words, self.parent_path() / "troupe-runner");
    }
    return troupe::cli::run_cli(words, troupe::cli::surroundings_here());
}
