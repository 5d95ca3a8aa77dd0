// Questions of a search.
#include "schemas/search.hpp"
#include "tests/fuzz/fuzz.hpp"

namespace troupe::fuzz {

namespace {

std::string written(const std::vector<search_clause>& clauses) {
    std::string out;
    for (const auto& c : clauses) {
        out += c.excluded ? " -" : " ";
        out += c.kind == clause_kind::phrase   ? '"' + c.text + '"'
               : c.kind == clause_kind::prefix ? c.text + '*'
                                               : c.text;
    }
    return out.substr(1);
}

} // namespace

void try_input(std::string_view input) {
    const auto read = parse_search(input);
    if (!read) {
        claim(read.error().code == code::invalid_request && read.error().errors.size() == 1, "it says what is wrong");
        return;
    }
    claim(!read->empty() && read->size() <= search_clauses_max, "it is bounded");
    const auto text = written(*read);
    if (text.size() <= search_bytes_max) { // blanks between clauses may be new
        const auto again = parse_search(text);
        claim(again && *again == *read, "it is the same when it is written again");
    }
}

} // namespace troupe::fuzz
