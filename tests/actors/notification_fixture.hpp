#pragma once

#include "actors/notification/notification_desk.hpp"
#include "tests/temporary_directory.hpp"

#include <fstream>
#include <memory>
#include <string>
#include <string_view>

namespace troupe::actors::test {

/// A desk of a node whose operator set nothing up, unless `settings` is the text of its notifications.json.
class plain_desk {
public:
    explicit plain_desk(const storage::store& s, std::string_view settings = {}) {
        if (!settings.empty()) {
            std::ofstream(folder_.path / "notifications.json") << settings;
        }
        runtime::config of_node;
        of_node.data = folder_.path;
        desk_ = notification_desk::open(of_node, s,
                                        {[](std::string_view) -> expected<std::string> { return std::string("key"); },
                                         [](std::string_view, std::string_view) { return expected<void>(); },
                                         [](std::string_view) -> expected<std::string> { return std::string(); }})
                    .value();
    }
    [[nodiscard]] const notification_desk& operator*() const { return *desk_; }
    [[nodiscard]] const notification_desk* operator->() const { return desk_.get(); }

private:
    troupe::test::temporary_directory folder_;
    std::unique_ptr<notification_desk> desk_;
};

} // namespace troupe::actors::test
