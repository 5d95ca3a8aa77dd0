// Full-text search: an index of tasks and messages is made, as an organization's is, and asked. One JSON line a case.
// Usage: bench_search [--data DIR] [--tasks N] [--messages N] [--questions N]

#include "actors/search/search_desk.hpp"
#include "tests/bench/bench.hpp"

#include <chrono>
#include <cmath>
#include <cstring>
#include <random>

namespace troupe::bench {
namespace {

constexpr std::size_t vocabulary = 50'000;
constexpr std::size_t task_words = 40;
constexpr std::size_t message_words = 25;

/// Words as often as in a language: the n-th one of n comes 1/n times as often as the first.
class writer {
public:
    writer() {
        double sum = 0;
        for (std::size_t n = 1; n <= vocabulary; ++n) {
            reached_.push_back(sum += 1.0 / static_cast<double>(n));
        }
    }
    static std::string word(std::size_t rank) {
        std::string out;
        for (std::size_t left = rank * 7919 + 26 * 26; left > 0; left /= 26) {
            out += static_cast<char>('a' + left % 26);
        }
        return out + (rank % 3 == 0 ? "ing" : "");
    }
    std::string text(std::size_t count) {
        std::string out;
        std::uniform_real_distribution<double> places(0, reached_.back());
        for (std::size_t i = 0; i < count; ++i) {
            const auto at = std::lower_bound(reached_.begin(), reached_.end(), places(random_));
            out += word(static_cast<std::size_t>(at - reached_.begin())) + " ";
        }
        return out;
    }

private:
    std::vector<double> reached_;
    std::mt19937_64 random_{7};
};

double seconds_since(std::chrono::steady_clock::time_point began) {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
}

std::uint64_t bytes_of(const std::filesystem::path& folder) {
    std::uint64_t out = 0;
    for (const auto& file : std::filesystem::directory_iterator(folder)) {
        out += file.file_size();
    }
    return out;
}

template <class T>
void need(const expected<T>& done) {
    if (!done) {
        give_up(done.error().detail);
    }
}

void fill(storage::text_index& index, std::size_t count, const std::string& type, std::size_t words, writer& w) {
    constexpr std::size_t per_commit = 20'000;
    for (std::size_t n = 0; n < count; ++n) {
        const auto id = derive_uuid({type, std::to_string(n)});
        need(index.put({type + "/" + to_string(id),
                        type == "task" ? w.text(5) : "",
                        w.text(words),
                        {"type=" + type, "author=key/admin", "task=" + to_string(id)},
                        {static_cast<std::int64_t>(n)}}));
        if (n % per_commit == per_commit - 1) {
            need(index.commit());
        }
    }
    need(index.commit());
}

void ask(const std::filesystem::path& folder, const storage::hide_word& hide, const std::string& name,
         const std::vector<std::string>& questions, std::size_t count) {
    std::vector<double> took;
    std::size_t hits = 0;
    for (std::size_t n = 0; n < count; ++n) {
        storage::text_query q;
        const auto clauses = parse_search(questions[n % questions.size()]);
        need(clauses);
        q.clauses = *clauses;
        q.filters = {{"type=task", "type=message", "type=document", "type=run"}};
        const auto began = std::chrono::steady_clock::now();
        const auto found = storage::search_index(folder, hide, q);
        took.push_back(seconds_since(began) * 1000);
        need(found);
        hits += found->size();
    }
    std::sort(took.begin(), took.end());
    fmt::print("{{\"case\":\"search_{}\",\"questions\":{},\"hits_mean\":{:.1f},\"p50_ms\":{:.2f},\"p99_ms\":{:.2f},"
               "\"max_ms\":{:.2f}}}\n",
               name, count, static_cast<double>(hits) / static_cast<double>(count), took[took.size() / 2],
               took[took.size() * 99 / 100], took.back());
    std::fflush(stdout);
}

void run(const std::filesystem::path& data, std::size_t tasks, std::size_t messages, std::size_t questions) {
    runtime::config settings;
    settings.data = (data / "node").string();
    auto& node = open_node(settings);
    actors::search_desk desk(node.parts(), data / "search");
    const auto organization = node.parts().store->who().default_organization;
    const auto hide = desk.hiding(organization, true);
    need(hide);
    const auto folder = desk.folder_of(organization);
    writer w;
    {
        auto index = storage::text_index::open(folder, *hide);
        need(index);
        for (const auto& [type, count, words] : {std::tuple(std::string("task"), tasks, task_words),
                                                 std::tuple(std::string("message"), messages, message_words)}) {
            const auto began = std::chrono::steady_clock::now();
            fill(**index, count, type, words, w);
            const auto s = seconds_since(began);
            fmt::print(
                "{{\"case\":\"index_{}s\",\"texts\":{},\"seconds\":{:.1f},\"per_s\":{:.0f},\"index_bytes\":{}}}\n",
                type, count, s, static_cast<double>(count) / s, bytes_of(folder));
            std::fflush(stdout);
        }
    }
    const auto some = [&](std::size_t from, std::size_t step) {
        std::vector<std::string> out;
        for (std::size_t n = 0; n < 50; ++n) {
            out.push_back(writer::word(from + n * step));
        }
        return out;
    };
    const auto rare = some(5'000, 500);
    const auto usual = some(100, 10);
    const auto frequent = some(0, 1);
    const auto join = [](const std::vector<std::string>& a, std::string_view between, const std::vector<std::string>& b,
                         std::string_view around) {
        std::vector<std::string> out;
        for (std::size_t n = 0; n < a.size(); ++n) {
            out.push_back(fmt::format("{}{}{}{}{}", around, a[n], between, b[b.size() - 1 - n], around));
        }
        return out;
    };
    const auto beginnings = [&] {
        std::vector<std::string> out;
        for (const auto& word : usual) {
            out.push_back(word.substr(0, 3) + "*");
        }
        return out;
    };
    ask(folder, *hide, "rare_word", rare, questions);
    ask(folder, *hide, "usual_word", usual, questions);
    ask(folder, *hide, "frequent_word", frequent, questions);
    ask(folder, *hide, "two_words", join(frequent, " ", usual, ""), questions);
    ask(folder, *hide, "phrase", join(frequent, " ", usual, "\""), questions);
    ask(folder, *hide, "frequent_phrase", join(frequent, " ", frequent, "\""), questions);
    ask(folder, *hide, "without", join(usual, " -", frequent, ""), questions);
    ask(folder, *hide, "beginning", beginnings(), questions);
}

} // namespace
} // namespace troupe::bench

int main(int argc, char** argv) {
    std::filesystem::path data =
        std::filesystem::temp_directory_path() / ("troupe-bench-" + std::to_string(::getpid()));
    std::size_t tasks = 100'000;
    std::size_t messages = 1'000'000;
    std::size_t questions = 500;
    for (int i = 1; i + 1 < argc; i += 2) {
        const std::string flag = argv[i];
        if (flag == "--data") {
            data = argv[i + 1];
        } else {
            (flag == "--tasks"      ? tasks
             : flag == "--messages" ? messages
                                    : questions) = std::strtoull(argv[i + 1], nullptr, 10);
        }
    }
    troupe::bench::run(data, tasks, messages, questions);
    std::error_code ignored;
    std::filesystem::remove_all(data, ignored);
    std::_Exit(0); // the node is never destroyed
}
