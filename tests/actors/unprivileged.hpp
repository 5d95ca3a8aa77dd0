#pragma once

#include <linux/capability.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>

namespace troupe::actors::test {

/// For its time, the modes of files hold for this thread even where the tests run as root.
class unprivileged {
public:
    unprivileged() {
        BOOST_REQUIRE(::syscall(SYS_capget, &header_, before_) == 0);
        __user_cap_data_struct without[2] = {before_[0], before_[1]};
        without[0].effective &= ~((1U << CAP_DAC_OVERRIDE) | (1U << CAP_DAC_READ_SEARCH));
        BOOST_REQUIRE(::syscall(SYS_capset, &header_, without) == 0);
    }
    ~unprivileged() { ::syscall(SYS_capset, &header_, before_); }
    unprivileged(const unprivileged&) = delete;

private:
    __user_cap_header_struct header_{_LINUX_CAPABILITY_VERSION_3, 0};
    __user_cap_data_struct before_[2]{};
};

} // namespace troupe::actors::test
