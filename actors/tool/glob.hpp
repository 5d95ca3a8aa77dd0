#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace troupe::actors {

/// A pattern of paths, as shells and editors write it: * and ? within a name, [a-z], ** for any folders (none, too),
/// {a,b} for either. Without a slash it is held against the name alone, in whatever folder.
class path_glob {
public:
    /// An empty pattern fits all.
    explicit path_glob(std::string_view pattern);

    /// `path` is relative and clean.
    [[nodiscard]] bool fits(std::string_view path) const;

private:
    std::vector<std::vector<std::string>> alternatives_; ///< The segments of each.
};

} // namespace troupe::actors
