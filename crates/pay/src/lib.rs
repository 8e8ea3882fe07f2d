//! Payment channels: WeChat Pay v3.
